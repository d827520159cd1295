"""The four values of an answer, by their short names."""

from app.criteria.rules import Value

MET, UNMET, INSUFFICIENT, NOT_APPLICABLE = Value.MET, Value.UNMET, Value.INSUFFICIENT, Value.NOT_APPLICABLE
