"""A login that needs no Azure."""

from azure.core.credentials import AccessToken


class Credential:
    """Gives one token, or raises; without either it must not be asked."""

    def __init__(self, answer: str | Exception | None = None) -> None:
        self.answer = answer or AssertionError("Nothing is sent.")

    async def get_token(self, *scopes, **options) -> AccessToken:
        if isinstance(self.answer, Exception):
            raise self.answer
        return AccessToken(self.answer, 0)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error) -> None:
        return None
