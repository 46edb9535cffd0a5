"""One error budget for several tests: trainer and operator correct by the same rule."""

from collections.abc import Mapping


def holm(p_values: Mapping[str, float], alpha: float) -> frozenset[str]:
    """Names of the tests that stay significant when all of them share one error budget.

    Args:
        p_values: by name of the test.
        alpha: the budget, such as 0.01.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    significant = []
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for number, (name, p) in enumerate(ordered):
        if p > alpha / (len(ordered) - number):
            break
        significant.append(name)
    return frozenset(significant)
