#!/bin/sh
# One consistent dump of the database and a copy of the media folder, whole or not at all: backup.sh FOLDER.
# Needs HOI_DATABASE_OWNER_URL (the owner; docs/operator.md) and HOI_VAR. Nobody else may read what it writes.
set -eu
umask 077
folder=${1:?"Cách dùng: backup.sh THƯ_MỤC"}
url=${HOI_DATABASE_OWNER_URL:-${HOI_DATABASE_URL:?"Cần HOI_DATABASE_OWNER_URL"}}
fail() { echo "✗ $1" >&2; exit 1; }

folder=${folder%/}
new=$folder.moi
old=$folder.cu
if [ -e "$folder" ] && [ ! -f "$folder/MANIFEST" ] && [ ! -f "$folder/hoi.dump" ] && [ -n "$(ls -A "$folder")" ]; then
    fail "$folder có thứ khác, không phải bản sao lưu. Chọn thư mục khác."
fi
if [ -e "$old" ] && [ ! -e "$folder" ]; then mv "$old" "$folder"; fi # an earlier run was killed between its two moves
rm -rf "$new" "$old"
mkdir -p "$new"
chmod 0700 "$new"
trap 'rm -rf "$new"' EXIT

pg_dump --format=custom --no-owner --file "$new/hoi.dump" "$url"
if [ -d "${HOI_VAR:?}/media" ]; then
    # GNU tar says 1 for a file that came or went meanwhile. The dump is older, and a file's name is its content's hash: what the
    # dump names is whole. Of other tars 1 may mean anything.
    harmless=0
    if tar --version | grep -q 'GNU tar'; then harmless=1; fi
    tar -C "$HOI_VAR" -cf "$new/media.tar" media || [ $? -eq $harmless ]
fi
# The manifest comes last and names everything: without it the folder is no copy.
(cd "$new" && if [ -e media.tar ]; then sha256sum hoi.dump media.tar; else sha256sum hoi.dump; fi) >"$new/MANIFEST.part"
mv "$new/MANIFEST.part" "$new/MANIFEST"
sync -f "$new/MANIFEST" 2>/dev/null || sync

if [ -e "$folder" ]; then mv "$folder" "$old"; fi
mv "$new" "$folder"
rm -rf "$old"
echo "✓ Đã sao lưu vào $folder"
