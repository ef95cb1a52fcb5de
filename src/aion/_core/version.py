"""The version of Aion, for what is recorded with it."""

VERSION = "0.1.0"
