"""What a file has cost, in words. Pure."""

from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.prices import money


def cost_text(record: FileRecord) -> str:
    """0.0123 USD, at least: 40 of 900 node seconds have no known price."""
    if not record.node_seconds:
        return ""
    amount, unknown = record.spent.cost_micro, record.unpriced_seconds
    if amount is None or unknown == record.node_seconds:
        return "not known" if record.state.is_final else ""
    shown = money(amount, record.spent.cost_currency)
    if not record.state.is_final:
        return f"{shown} so far"
    return (
        f"{shown}, at least: {unknown:,} of {record.node_seconds:,} node seconds have no known price"
        if unknown
        else shown
    )
