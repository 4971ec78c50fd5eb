"""`/v1/speech`: which voices a text may ask for, and which engine speaks then. Reads only."""

from typing import Any

from fastapi import APIRouter

from offhook.runtime.speech.desk import spoken_language
from offhook.web.api.native_request import Asking

__all__ = ["router"]

router = APIRouter(prefix="/v1/speech", tags=["speech"])


@router.get("/voices")
async def list_voices(caller: Asking, language: str | None = None) -> dict[str, Any]:
    """Voices by language; an empty language is any. `language=sv` gives those of one, its countries included."""
    wanted = None if language is None else spoken_language(language).partition("-")[0]
    return {
        "voices": [
            {"language": each.language, "voice": each.voice, "engine": each.engine, "name": each.name}
            for each in await caller.native.server.voices()
            if wanted is None or each.language.partition("-")[0] in (wanted, "")
        ]
    }
