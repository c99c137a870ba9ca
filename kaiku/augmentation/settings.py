"""What a configuration says of a derived corpus."""

from typing import Any, Literal

from pydantic import Field, model_validator

from kaiku.strict import Strict, key_params


class NoiseSettings(Strict):
    """Noise that is laid under each clip, at one level against its speech."""

    snr_db: float = Field(ge=-20, le=80, description="dB of the clip's speech over the noise.")
    colour: Literal["white", "pink"] = Field("white", description="Spectrum of generated noise.")
    folder: str | None = Field(
        None, description="Folder of noise recordings, of which each clip draws one, instead of generated noise."
    )
    salt: str = Field("", description="Another word draws other noise.")


class DerivedSettings(Strict):
    """A corpus of changed clips of another one; what is named is done in the order of this table."""

    of: str = Field(description="The corpus whose clips are changed.")
    speed: float = Field(
        1.0, ge=0.5, le=2, description="Factor, pitch and all, as a tape that runs faster: above 1 shorter and higher."
    )
    tempo: float = Field(1.0, ge=0.5, le=2, description="Factor at the same pitch: above 1 is shorter.")
    pitch_semitones: float = Field(0.0, ge=-12, le=12, description="Semitones up (or down) at the same length.")
    noise: NoiseSettings | None = Field(None, description="Noise under each clip.")

    @model_validator(mode="after")
    def _changes_something(self) -> "DerivedSettings":
        if (self.speed, self.tempo, self.pitch_semitones, self.noise) == (1.0, 1.0, 0.0, None):
            raise ValueError("nothing is changed: give speed, tempo, pitch_semitones or noise")
        return self


def sound_params(own: DerivedSettings) -> dict[str, Any]:
    """What of it changes a clip: not where its noise lies, whose content counts instead."""
    found = {name: value for name, value in key_params(own).items() if name != "of"}
    if found["noise"]:
        found["noise"]["folder"] = found["noise"]["folder"] is not None
    return found
