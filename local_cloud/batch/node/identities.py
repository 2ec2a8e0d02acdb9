"""Which managed identities the nodes have: granted from outside, as Azure does it for a pool."""


class Identities:
    """The set of granted identities; resource ids are compared without regard to case."""

    def __init__(self, granted: tuple[str, ...] = ()) -> None:
        self._granted = {identity.lower(): identity for identity in granted}

    def grant(self, identity: str) -> None:
        """Let the nodes use an identity."""
        self._granted[identity.lower()] = identity

    def revoke(self, identity: str) -> None:
        """Take an identity away; one that is not granted is fine."""
        self._granted.pop(identity.lower(), None)

    def has(self, identity: str) -> bool:
        """Say whether the nodes may use an identity."""
        return identity.lower() in self._granted

    def all(self) -> list[str]:
        """Return the granted identities."""
        return sorted(self._granted.values())
