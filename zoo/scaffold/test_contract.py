import zoo.testing


@zoo.testing.parametrize("attention.newcomer")
def test_contract(case):
    case()
