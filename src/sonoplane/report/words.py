"""How numbers read in a report: percentages, moments, counts."""

__all__ = ["clock", "count", "percent"]

#: A space that no line breaks at.
_GLUE = "\N{NO-BREAK SPACE}"


def percent(share: float) -> str:
    r"""A share in whole percent; never certainty where there is none.

    >>> percent(0.934), percent(0.9981), percent(0.0004), percent(1.0), percent(0.0)
    ('93\xa0%', '>\xa099\xa0%', '<\xa01\xa0%', '100\xa0%', '0\xa0%')
    """
    if 0.99 < share < 1:
        return f">{_GLUE}99{_GLUE}%"
    if 0 < share < 0.01:
        return f"<{_GLUE}1{_GLUE}%"
    return f"{share:.0%}".replace("%", f"{_GLUE}%")


def clock(time_s: float, *, digits: int = 2) -> str:
    """A moment or a length of time: seconds, from one minute on also minutes and hours.

    >>> clock(4.1), clock(75.25, digits=1), clock(3600.0, digits=0), clock(59.999)
    ('4.10 s', '1:15.2', '1:00:00', '1:00.00')
    """
    time_s = round(time_s, digits)
    if abs(time_s) < 60:
        return f"{time_s:.{digits}f} s"
    sign, whole = ("-", -time_s) if time_s < 0 else ("", time_s)
    width = digits + 3 if digits else 2
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{seconds:0{width}.{digits}f}"
    return f"{sign}{hours}:{minutes:02d}:{tail}" if hours else f"{sign}{minutes}:{tail}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "frame"), count(108000, "frame"), count(2, "pass", "passes")
    ('1 frame', '108,000 frames', '2 passes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
