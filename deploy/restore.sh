#!/bin/sh
# Into an EMPTY database: restore.sh FOLDER. Needs HOI_DATABASE_OWNER_URL and HOI_VAR; the login hoi_app must exist (docs/operator.md).
set -eu
umask 077
folder=${1:?"Cách dùng: restore.sh THƯ_MỤC"}
url=${HOI_DATABASE_OWNER_URL:-${HOI_DATABASE_URL:?"Cần HOI_DATABASE_OWNER_URL"}}
fail() { echo "✗ $1 Chưa phục hồi gì." >&2; exit 1; }

parts=hoi.dump
if [ -e "$folder/media.tar" ]; then parts="hoi.dump media.tar"; fi
[ -f "$folder/MANIFEST" ] || fail "$folder không có tệp MANIFEST: bản sao lưu chưa trọn, hoặc của bản Hồi cũ.
  Biết chắc bản ấy trọn vẹn thì ghi MANIFEST cho nó rồi phục hồi lại:
  (cd '$folder' && sha256sum $parts > MANIFEST)
 "
grep -q '  hoi\.dump$' "$folder/MANIFEST" || fail "MANIFEST không ghi hoi.dump."
for part in hoi.dump media.tar; do
    if [ -e "$folder/$part" ] && ! grep -q "  $part\$" "$folder/MANIFEST"; then fail "$part không thuộc bản sao lưu này."; fi
done
if ! wrong=$(cd "$folder" && sha256sum --strict --check --quiet MANIFEST 2>&1); then
    fail "Tệp hỏng hoặc bị trộn từ hai lần sao lưu: $(echo "$wrong" | tr '\n' ' ')"
fi
# Copies of before the migrations were made one for each part: their revisions, 0001 to 0044, lead no further.
revision=$(pg_restore --data-only --table=alembic_version --file=- "$folder/hoi.dump" | sed -n '/^COPY /{n;p;}')
case $revision in 00*) fail "Bản sao lưu này của Hồi trước ngày 01/12/2026 (cấu trúc $revision); bản này không nâng tiếp được.
  Phục hồi bằng bản Hồi cũ; cách chuyển sang bản này ở docs/operator.md, «Lên bản mới».
 " ;; esac

pg_restore --exit-on-error --no-owner --single-transaction --dbname "$url" "$folder/hoi.dump"
if [ -f "$folder/media.tar" ]; then mkdir -p "${HOI_VAR:?}" && tar -C "$HOI_VAR" -xf "$folder/media.tar"; fi
echo "✓ Đã khôi phục từ $folder"
