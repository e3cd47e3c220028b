"""Every number of offscript, each with its reason; the paper's section where the paper fixes it, else "ours"."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PREFIX: Final = "OFFSCRIPT_"
"""What the names of environment variables begin with that give settings, in upper or lower case."""


class Config(BaseModel):
    """The settings of one model; unknown names are errors.

    Keyword arguments (options) come first, then `OFFSCRIPT_*` environment variables, then, on the command line, a TOML
    file given by `--config`, then the defaults below.

    >>> Config(history=5).history
    5
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    # Reading (ours)
    max_line_bytes: int = Field(
        1 << 20,
        ge=256,
        description="Longer lines are cut here and counted: 1 MiB holds any "
        "real record, and bounds memory when a newline is missing.",
    )
    max_expansion: int = Field(
        2_000,
        ge=1,
        description="Decompressed bytes allowed per compressed byte (above the "
        "first 64 MiB): real logs reach about 200, a bomb thousands.",
    )
    sample_lines: int = Field(
        20_000,
        ge=10,
        description="Lines looked at to find header and session key: the session "
        "key settles within a few thousand, 20,000 leaves room for quiet starts.",
    )

    # Parsing (Spell, ICDM 2016)
    tau: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a message's constants that must be common with a "
        "template to join it: half, as the paper's default |s|/2.",
    )
    max_templates: int = Field(
        10_000,
        ge=1,
        description="Cap on templates: the largest public log set has 1,241; a "
        "log that passes this is not made of print statements: warned about.",
    )

    # Sessions (ours)
    session: str | None = Field(
        None,
        description="Session key: None discovers it, 'none' is one stream per source, "
        "else a regular expression whose first group (or whole match) is the id.",
    )
    max_open_sessions: int = Field(
        100_000,
        ge=1,
        description="Open sessions held at once, about 1 kB each; above it the idlest are closed unjudged and counted.",
    )

    # Log-key model (CCS 2017 section 5.1.2 for h, g, L, alpha)
    history: int = Field(10, ge=1, le=64, description="h: keys of history.")
    candidates: int = Field(9, ge=1, le=1 << 20, description="g: candidates that count as normal under the top-g rule.")
    layers: int = Field(2, ge=1, le=8, description="L: stacked LSTM layers.")
    hidden: int = Field(64, ge=1, le=1024, description="alpha: LSTM units in a layer.")
    folds: int = Field(
        4,
        ge=2,
        le=20,
        description="Networks, each trained without one fold of the sessions and calibrated on it: four leave each 75% "
        "to learn from, and fill two cores twice.",
    )
    training_steps: int = Field(
        1_600,
        ge=1,
        description="Most optimiser steps of each network (rounded up to 25): HDFS is then within a quarter nat of its "
        "floor, in about a minute; held-out normal sessions are predicted better than after 1,200 or 600.",
    )
    batch_size: int = Field(
        64,
        ge=16,
        le=8192,
        description="Pairs in a step: on a CPU the time goes with the pairs, and many small steps learn more.",
    )
    learning_rate: float = Field(
        1e-2, gt=0, le=1, description="Peak rate of Adam: the largest that falls smoothly on HDFS."
    )
    count_power: float = Field(
        0.0,
        ge=0,
        le=1,
        description="A distinct pair seen in c sessions weighs c to this power: 0 is equal weight, 1 the raw counts.",
    )
    count_weight: float = Field(
        2.0,
        gt=0,
        description="Sightings of a history that weigh as much as the network: of 1 to 50, where most held-out normal "
        "sessions of HDFS that were damaged on purpose (a step lost, doubled or swapped, an early end) are flagged at "
        "a share of 0.1%.",
    )
    rare_probability: float | None = Field(
        None,
        gt=0,
        lt=0.1,
        description="Keys less probable than this are no candidates under top-g, and a hundredth of it is the least "
        "probability told apart; None: the share asked, divided by the entries of a session.",
    )
    max_training_entries: int = Field(
        5_000_000,
        ge=1,
        description="Entries kept to learn from and to replay later, "
        "20 MB of model; beyond it the latest sessions, else a sample.",
    )
    profile: bool = Field(
        True,
        description="Whether closed sessions are also judged by how often each key came in them; without, a session "
        "is judged by its order and its end alone.",
    )
    values: bool = Field(
        True,
        description="Whether times and values are judged too: slow, large or new ones on a script that is kept.",
    )
    confidence: float = Field(
        0.999,
        gt=0.5,
        lt=1,
        description="Share of normal numbers within the range that verdicts tell, inside which nothing is flagged: the "
        "paper's highest, the only one of its three that gave no false alarm (Fig 9).",
    )
    rule: Literal["likelihood", "top-g"] = Field(
        "likelihood", description="How a key is judged; likelihood is calibrated to a promised false-alarm share."
    )
    false_alarms: float = Field(
        1e-3,
        gt=0,
        lt=1,
        description="Share of normal sessions that may be flagged: one in a thousand is a few a day on a busy service.",
    )
    false_alarms_per_entry: float = Field(
        1e-4, gt=0, lt=1, description="The same for a log without sessions, per entry: one in ten thousand."
    )
    seed: int = Field(0, ge=0, description="Seed of every random choice of the training.")

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, given: Any) -> Any:
        """Add what environment variables set and no argument does."""
        if not isinstance(given, dict):
            return given
        present = {name.upper(): text for name, text in os.environ.items()}
        found = {name: present.get(variable(name)) for name in cls.model_fields}
        return {name: text for name, text in found.items() if text is not None} | given


def variable(setting: str) -> str:
    """Return the environment variable that gives a setting, in upper case.

    >>> variable("history")
    'OFFSCRIPT_HISTORY'
    """
    return f"{PREFIX}{setting}".upper()
