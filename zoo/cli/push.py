"""`zoo push`: publish a bundle on the Hugging Face Hub."""

from __future__ import annotations

import click


@click.command("push")
@click.argument("bundle")
@click.argument("repo", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option(
    "--license", metavar="ID", default="", help="License of the weights for the published card, such as mit."
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def command(bundle: str, repo: str, private: bool, license: str, as_json: bool) -> None:
    """Publish a bundle on the Hugging Face Hub.

    The files of the bundle are uploaded to the model repository USER/NAME, which is created if there is none.
    Its README becomes the model card there; edit it before, if you like. Needs `pip install 'polyzoo[hub]'`
    and a login (`hf auth login`). Everybody can then use the model as hf:USER/NAME.
    """
    from zoo.cli.console import print_json, stdout, visible
    from zoo.cli.opened import note_outdated
    from zoo.errors import BundleError, Problem
    from zoo.model.config import read_config
    from zoo.model.hub import upload
    from zoo.model.pretrained import bundle_folder, is_bundle

    if not is_bundle(bundle):
        hint = "give a folder that `zoo train` or `zoo build -o` wrote"
        raise BundleError(Problem("there is no bundle here", bundle, hint))
    note_outdated(bundle, read_config(bundle_folder(bundle)))
    address = upload(bundle_folder(bundle), repo, private=private, license=license)
    if as_json:
        print_json({"repository": repo, "address": address})
        return
    stdout.print(visible(f"{address}: the bundle"), soft_wrap=True)
    stdout.print(visible(f"Next:  zoo generate hf:{repo} -o music.mid"), soft_wrap=True)
