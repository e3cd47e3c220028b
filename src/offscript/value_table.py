"""What a model knows of times and values, a row for each place: how it is judged, what is normal, or why not (ours)."""

from __future__ import annotations

from offscript.model import Model
from offscript.models.gauges import Gauge
from offscript.models.values import WordList
from offscript.models.vectors import TIME
from offscript.value_wording import WORDS_SHOWN, range_told
from offscript.wording import short

VALUE_COLUMNS = ["key", "place", "after", "judged by", "learnt from", "normal", "template"]
"""Place 0 is the elapsed time, place n the n-th `<*>`; `after` is the key before, where that makes a difference."""

Row = list[object]


def value_rows(model: Model) -> list[Row]:
    """Return the rows, by key and place; ranges are those at the model's confidence."""
    values = model.values
    found = [_of_gauge(model, number, gauge) for number, gauge in enumerate(values.gauges)]
    found += [_of_list(one) for one in values.lists]
    found += [[one.key, one.place, "", "not judged", "", one.reason] for one in values.left_out]
    found.sort(key=lambda row: (row[0], row[1], str(row[2])))
    return [[*row, short(model.templates.template(int(str(row[0]))).text)] for row in found]


def _of_gauge(model: Model, number: int, gauge: Gauge) -> Row:
    after = "" if gauge.after is None else gauge.after
    sort = "time" if gauge.place == TIME else "range"
    return [gauge.key, gauge.place, after, sort, gauge.learnt_from, range_told(model, number, gauge.level)]


def _of_list(one: WordList) -> Row:
    known = ", ".join(one.known[:WORDS_SHOWN]) + (" ..." if len(one.known) > WORDS_SHOWN else "")
    return [one.key, one.place, "", "words", one.learnt_from, known]
