"""What was asked until commit 69a6b37 and is asked no more, in the words of today's schema: what `mends` compares with.

Each says where it stood. Names after a colon are parameters, see `mends.World.told`.
"""

# Finding 1: `batches_of_site` of app/trace/queries/batches.py. The "or" compares every harvest link of the province
# with every step of the site.
BATCHES_OF_SITE = """
SELECT DISTINCT s.batch_id FROM batch_sources s
 WHERE EXISTS (SELECT FROM care_logs l
                WHERE (l.id = s.care_log_id OR l.corrects_id = s.care_log_id) AND l.site_id = :site)
 ORDER BY s.batch_id
"""

# Findings 2 and 9: `listings_with_sightings` of app/marketplace_sync/queries/listings.py, for one product, and for all
# products of the seller on the page /san (`listings_of`), which had no pages. `newest` is of every listing there is.
# Each look wrote a row, and the table had no months then.
LISTINGS = """
SELECT l.id, o.live, o.buyable, o.price_dong, o.stock, l.*, a.*, o.* FROM listings l
  JOIN channel_accounts a ON a.id = l.account_id
  LEFT JOIN (SELECT listing_id, max(seen_at) AS seen_at FROM listing_observations
              WHERE seen_at <= {moment} GROUP BY listing_id) newest ON newest.listing_id = l.id
  LEFT JOIN listing_observations o ON o.listing_id = l.id AND o.seen_at = newest.seen_at
 WHERE l.product_id = ANY ({products}) AND l.created_at <= {moment}
 ORDER BY l.created_at, l.id
"""
LISTINGS_OF_PRODUCT = LISTINGS.format(products=":product_alone", moment=":now")
LISTINGS_IN_THE_PAST = LISTINGS.format(products=":product_alone", moment=":past")
LISTINGS_OF_SELLER = LISTINGS.format(products=":sold", moment=":now")

# Finding 3: `after_names_changed` of app/trace/pages.py, for every new household, consent of any kind and new name.
FORGET_ALL = "UPDATE public_pages SET wanted_version = wanted_version + 1"

# Finding 11: `levels` of app/trace/stock.py, at each sale.
STOCK_LEVELS = """
SELECT variant_id, batch_id,
       sum(units) FILTER (WHERE kind NOT IN ('reserved', 'released')) AS there,
       sum(units) FILTER (WHERE kind IN ('reserved', 'released')) AS promised,
       sum(units) FILTER (WHERE kind IN ('sold', 'returned')) AS sold
  FROM stock_movements WHERE variant_id = ANY (:sold_most) GROUP BY variant_id, batch_id
"""

# --- finding 7: rules of rows ----------------------------------------------------------------------------------------

# A function of the row: each row reads the whole array of the actor's organisations again.
HOI_SEES = (
    """CREATE FUNCTION hoi_places() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
       $$ SELECT coalesce(nullif(current_setting('hoi.places', true), ''), '{}')::uuid[] $$""",
    """CREATE FUNCTION hoi_oversees(organisation uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
       SET search_path = public AS
       $$ SELECT EXISTS (SELECT FROM organisations
           WHERE id = organisation AND (village_id = ANY (hoi_places()) OR commune_id = ANY (hoi_places()))) $$""",
    """CREATE FUNCTION hoi_sees(organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS
       $$ SELECT hoi_is_system() OR organisation = ANY (hoi_organisations())
           OR (coalesce(current_setting('hoi.places', true), '') NOT IN ('', '{}')
               AND hoi_oversees(organisation)) $$""",
)
MEMBERSHIPS = (
    *HOI_SEES,
    "ALTER POLICY memberships_read ON memberships USING (hoi_is_person(person_id) OR hoi_sees(organisation_id))",
)
HOUSEHOLD_MEMBERSHIPS = (
    *HOI_SEES,
    """ALTER POLICY household_memberships_read ON household_memberships
       USING (hoi_sees(household_id) OR hoi_sees(cooperative_id))""",
)
# The first row of anything made the set of all organisations in one of 1,971 places.
HOI_OVERSEEN = (
    "SELECT set_config('hoi.places', :place_array, true)",
    HOI_SEES[0],
    """CREATE FUNCTION hoi_lying_in(places uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
       SET search_path = public, pg_temp AS
       $$ SELECT id FROM organisations WHERE village_id = ANY (places) OR commune_id = ANY (places) $$""",
    """CREATE OR REPLACE FUNCTION hoi_overseen() RETURNS SETOF uuid LANGUAGE sql STABLE AS
       $$ SELECT hoi_lying_in(hoi_places()) $$""",
    """ALTER POLICY sites_read ON sites USING (hoi_is_system()
       OR organisation_id = ANY ((SELECT hoi_organisations())::uuid[])
       OR organisation_id IN (SELECT hoi_overseen()))""",
)

# --- finding 9: lists without pages ----------------------------------------------------------------------------------

# `accounts.visible`: an official was known by every place below the one that the role names.
_VISIBLE = (
    "({column} = ANY (:organisations) OR {column} IN (SELECT seat.id FROM organisations seat WHERE"
    " seat.id = ANY (:organisations) OR seat.village_id = ANY (:places) OR seat.commune_id = ANY (:places)))"
)

# `products_of` of app/products/queries/products.py.
PRODUCTS = f"""
SELECT p.id, p.* FROM products p
 WHERE ({_VISIBLE.format(column="p.organisation_id")} OR p.organisation_id IN (SELECT hoi_cooperatives()))
   AND p.retired_on IS NULL
 ORDER BY vn_numbered(p.name_folded), p.id LIMIT 500
"""

# `site_lines` of app/trace/queries/sites.py: the sites, their seasons, and the newest of all their steps.
SITES = (
    f"""
SELECT s.id, o.name, s.* FROM sites s JOIN organisations o ON o.id = s.organisation_id
 WHERE {_VISIBLE.format(column="s.organisation_id")}
 ORDER BY vn_numbered(o.name_folded), vn_numbered(vn_fold(s.name)), s.id LIMIT 500
""",
    """
SELECT site_id, village_id FROM site_villages
 WHERE site_id = ANY (:sites_shown) AND valid_from <= :today AND (valid_to IS NULL OR valid_to >= :today)
""",
    """
SELECT * FROM cycles WHERE site_id = ANY (:sites_shown) AND (ended_on IS NULL OR ended_on >= :today)
 ORDER BY started_on DESC, id
""",
    """
SELECT l.site_id, max(l.happened_at) FROM care_logs l
 WHERE l.site_id = ANY (:sites_shown) AND NOT l.withdrawn AND NOT EXISTS (SELECT FROM care_logs later
       WHERE later.corrects_id = coalesce(l.corrects_id, l.id) AND later.position > l.position)
 GROUP BY l.site_id
""",
)

# `organisations` of app/accounts/queries/organisations.py.
ORGANISATIONS = """
SELECT o.id, o.* FROM organisations o
 WHERE o.id = ANY (:organisations) OR o.village_id = ANY (:places) OR o.commune_id = ANY (:places)
 ORDER BY vn_numbered(o.name_folded), o.id LIMIT 200
"""

# `batch_lines` of app/trace/queries/batches.py: all of them for one page, and again for their number.
BATCHES, COUNT_OF_BATCHES = (
    f"""
SELECT b.*, p.name, (SELECT count(*) FROM trace_codes c WHERE c.batch_id = b.id) AS codes
  FROM batches b JOIN products p ON p.id = b.product_id
 WHERE {_VISIBLE.format(column="b.organisation_id")}
 ORDER BY b.created_at DESC, b.id LIMIT 50
""",
    f"SELECT count(*) FROM batches b WHERE {_VISIBLE.format(column='b.organisation_id')}",
)

# `households` of app/doors/farmer/queries.py: what was written today was found by reading all that was ever written; and
# every household was read to show the first sixty.
WRITTEN_TODAY = (
    """
SELECT l.organisation_id, count(*) FROM care_logs l JOIN care_logs first ON first.id = coalesce(l.corrects_id, l.id)
 WHERE l.organisation_id = ANY (:houses_shown) AND first.recorded_at >= :today_began AND NOT l.withdrawn
   AND NOT EXISTS (SELECT FROM care_logs later
       WHERE later.corrects_id = coalesce(l.corrects_id, l.id) AND later.position > l.position)
 GROUP BY l.organisation_id
""",
    "SELECT o.* FROM organisations o WHERE o.id = ANY (:theirs) ORDER BY vn_numbered(o.name_folded), o.id LIMIT 2000",
)

# `inbox` and `unseen_count` of app/notices/queries.py, which stand on every page.
_WANTS_EYES = """
(n.seen_at IS NULL AND NOT EXISTS (SELECT FROM role_offers o
    WHERE o.id = CASE WHEN n.reason = 'role_offer' THEN CAST(split_part(n.key, ':', 2) AS uuid) END
      AND (o.answered_at IS NOT NULL OR o.withdrawn_at IS NOT NULL)))
"""
UNSEEN = f"SELECT count(*) FROM notices n WHERE n.person_id = :told_most AND {_WANTS_EYES}"
INBOX = f"""
SELECT n.id, n.* FROM notices n WHERE n.person_id = :told_most
 ORDER BY {_WANTS_EYES} DESC, n.created_at DESC, n.id DESC LIMIT 100
"""
