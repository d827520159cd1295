#!/bin/sh
# Into an EMPTY database: restore.sh FOLDER. Needs HOI_DATABASE_OWNER_URL and HOI_VAR; the role hoi_app must exist (docs/operator.md).
set -eu
folder=${1:?"Cách dùng: restore.sh THƯ_MỤC"}
pg_restore --exit-on-error --no-owner --single-transaction --dbname "${HOI_DATABASE_OWNER_URL:-${HOI_DATABASE_URL:?}}" "$folder/hoi.dump"
if [ -f "$folder/media.tar" ]; then mkdir -p "${HOI_VAR:?}" && tar -C "$HOI_VAR" -xf "$folder/media.tar"; fi
echo "✓ Đã khôi phục từ $folder"
