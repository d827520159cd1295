"""What is left of a pack is kept beside its ledger, and the indices by which an organisation's own rows are found."""

import sqlalchemy as sa
from alembic import op

from app.migrations.rules import grant, replace, sees

revision = "0032"
down_revision = "0031"

# The ledger stays what counts: this adds up each line as it is written, whoever writes it, and can be made anew at any time.
TOTALS = """
CREATE FUNCTION hoi_add_to_stock_total() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS
$$ BEGIN
    INSERT INTO stock_totals (organisation_id, variant_id, batch_id, kind, units)
    VALUES (NEW.organisation_id, NEW.variant_id, NEW.batch_id, NEW.kind, NEW.units)
    ON CONFLICT (variant_id, batch_id, kind) DO UPDATE SET units = stock_totals.units + excluded.units;
    RETURN NULL;
END $$;
CREATE TRIGGER stock_movements_total AFTER INSERT ON stock_movements FOR EACH ROW EXECUTE FUNCTION hoi_add_to_stock_total();

CREATE FUNCTION hoi_rebuild_stock_totals() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS
$$ DECLARE made bigint; BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system adds up the ledger anew' USING ERRCODE = 'insufficient_privilege';
    END IF;
    LOCK TABLE stock_movements IN SHARE MODE;
    DELETE FROM stock_totals;
    INSERT INTO stock_totals (organisation_id, variant_id, batch_id, kind, units)
        SELECT organisation_id, variant_id, batch_id, kind, sum(units) FROM stock_movements
         GROUP BY organisation_id, variant_id, batch_id, kind;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
"""

INDICES = {
    "channel_accounts": ("organisation_id",),
    "declared_listings": ("organisation_id",),
    "trace_codes": ("organisation_id",),
    "batch_sources": ("log_organisation_id",),
    "audit_entries": ("at",),
}


def upgrade() -> None:
    _stock_totals()
    for table, columns in INDICES.items():
        op.create_index(f"ix_{table}_{columns[0]}", table, list(columns))
    op.create_index(
        "ix_batches_organisation_id", "batches", ["organisation_id", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index("ix_care_logs_recorded_at", "care_logs", ["organisation_id", "recorded_at"])


def _stock_totals() -> None:
    op.create_table(
        "stock_totals",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_totals")),
        sa.ForeignKeyConstraint(
            ["variant_id", "organisation_id"],
            ["variants.id", "variants.organisation_id"],
            name=op.f("fk_stock_totals_variant_id_variants"),
        ),
    )
    op.create_index(
        "uq_stock_totals_one",
        "stock_totals",
        ["variant_id", "batch_id", "kind"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_stock_totals_batch_id", "stock_totals", ["batch_id"])
    grant("stock_totals", "SELECT")
    replace("stock_totals", read=sees(), add="false", change="false", remove="false")
    op.execute(TOTALS)
    op.execute("SELECT set_config('hoi.kind', 'system', true)")
    op.execute("SELECT hoi_rebuild_stock_totals()")
    op.execute("SELECT set_config('hoi.kind', '', true)")
