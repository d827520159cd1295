"""A shop's keys are sealed with the installation's key and open with no other."""

import pytest

from app.marketplace_sync import credentials
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.errors import AuthRevoked
from tests.worlds.shop import World


def test_keys_are_sealed_and_opened_only_with_the_same_installation_key(world: World) -> None:
    sealed = credentials.seal(world.settings, Credentials({"consumer_key": "ck_thử"}))
    assert b"ck_th" not in sealed
    assert credentials.unseal(world.settings, sealed).get("consumer_key") == "ck_thử"
    other = world.settings.model_copy(
        update={"secret_key": None, "credentials_key": type(world.settings.secret_key)("y" * 40)}
    )
    with pytest.raises(AuthRevoked):
        credentials.unseal(other, sealed)
