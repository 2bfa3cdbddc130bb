"""How types and shapes are checked while tests run: as mypy reads them, an int will do for a float."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
