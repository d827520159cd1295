#!/bin/sh
# One consistent dump of the database and a copy of the media folder: backup.sh FOLDER. Needs HOI_DATABASE_OWNER_URL and HOI_VAR.
set -eu
folder=${1:?"Cách dùng: backup.sh THƯ_MỤC"}
mkdir -p "$folder"
pg_dump --format=custom --no-owner --file "$folder/hoi.dump.part" "${HOI_DATABASE_OWNER_URL:-${HOI_DATABASE_URL:?}}"
mv "$folder/hoi.dump.part" "$folder/hoi.dump"
if [ -d "${HOI_VAR:?}/media" ]; then tar -C "$HOI_VAR" -cf "$folder/media.tar.part" media && mv "$folder/media.tar.part" "$folder/media.tar"; fi
echo "✓ Đã sao lưu vào $folder"
