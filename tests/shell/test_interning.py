"""Equal values are one object, and no more of them are kept than are held."""

from maintenance_operator.interning import Interner


def test_equal_values_come_back_as_the_first_of_them() -> None:
    alike = Interner()
    first, equal, other = ("a", 1), ("a", int("1")), ("a", 2)
    assert alike(first) is first
    assert alike(equal) is first
    assert alike(other) is other


def test_it_begins_anew_before_it_grows_without_end() -> None:
    alike = Interner()
    for number in range(3 * Interner.MOST):
        assert alike((number,)) == (number,)
    assert len(alike._known) <= Interner.MOST
