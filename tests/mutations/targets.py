"""What is mutated, and the test files nearest to it. The one table to change when a module moves."""

GOAL_PERCENT = 95

# family -> (modules, test files or folders)
TARGETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rights": (
        ("app.actor", "app.accounts.named_rights", "app.accounts.rights", "app.trace.queries.rights"),
        (
            "tests/app/test_actor.py",
            "tests/app/accounts/test_named_rights.py",
            "tests/app/accounts/test_rights.py",
            "tests/app/accounts/test_roles.py",
            "tests/app/trace/queries/test_rights.py",
        ),
    ),
    "ledger": (
        ("app.trace.stock", "app.trace.lot_room"),
        (
            "tests/app/trace/test_stock.py",
            "tests/app/trace/test_stock_taken_back.py",
            "tests/app/trace/test_lot_room.py",
        ),
    ),
    "holds": (
        ("app.trace.holds", "app.trace.queries.pre_harvest"),
        ("tests/app/trace/test_holds.py", "tests/app/trace/queries"),
    ),
    "liveness": (
        (
            "app.marketplace_sync.queries.evidence",
            "app.marketplace_sync.queries.declared",
            "app.marketplace_sync.queries.floors",
        ),
        (
            "tests/app/marketplace_sync/test_evidence_bounds.py",
            "tests/app/marketplace_sync/test_declared.py",
            "tests/app/marketplace_sync/test_floors.py",
            "tests/app/criteria/facts/test_ocop.py",
            "tests/app/marketplace_sync/test_evidence.py",
        ),
    ),
    "reckoning": (
        ("app.marketplace_sync.reckoning",),
        ("tests/app/marketplace_sync/test_reckoning.py",),
    ),
}
