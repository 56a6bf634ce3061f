"""Search over settings: ranges in a recipe (`space`), stored trials (`store`), training (`trial`)."""
