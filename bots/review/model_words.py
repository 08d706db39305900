"""What a review says of the model that took part in it: what it read, what of it was not used, what it cost. Performs no I/O."""

from __future__ import annotations

from bots.markdown import code
from bots.model_review import ModelReview
from bots.money import dollars
from bots.review import messages


def asked(model: ModelReview | None) -> str:
    """Whether a model was asked, and what it read."""
    if model is None:
        return messages.NO_MODEL
    name = code(model.model)
    if model.failed:
        return messages.MODEL_FAILED.format(model=name)
    if not model.read:
        return messages.MODEL_IDLE.format(model=name)
    words = [messages.MODEL_READ.format(model=name, files=_count(len(model.read), "file"))]
    if model.checked:
        words.append(messages.MODEL_CHECKED.format(count=model.checked))
    if model.withheld:
        total = sum(count for _, count in model.withheld)
        reasons = ", ".join(f"{count} {reason}" for reason, count in model.withheld)
        words.append(messages.MODEL_WITHHELD.format(remarks=_count(total, "remark"), reasons=reasons))
    return " ".join(words)


def costs(model: ModelReview) -> str:
    """What this review has cost, and all of them of the pull request; tokens, where they cost nothing. Empty if nothing was used."""
    if not model.tokens and not model.total:
        return ""
    now = dollars(model.cost) if model.cost or not model.tokens else f"{model.tokens:,} tokens"
    whole = messages.COST_TOTAL.format(total=dollars(model.total)) if model.total > model.cost else ""
    return messages.COST.format(cost=now, model=code(model.model), total=whole)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
