"""The one error of the contract."""


class ContractError(ValueError):
    """A request or report that does not follow the contract; the message names the field."""
