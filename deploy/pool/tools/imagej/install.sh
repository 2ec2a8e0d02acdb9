#!/bin/bash
# Installs ImageJ 1.x on a node, with what shows it a display, into FOLDER: install.sh FOLDER. Can run again at any time.
#
# Packages of Debian 12, where it was tried, and of Ubuntu 24.04 (universe), where it was not; apt holds their digests
# against the signed lists of the distribution. The launcher is compiled here, so that it fits the ImageJ that is there.
#
# Leaves FOLDER/ij.jar (a link), FOLDER/RunMacro*.class, FOLDER/VERSION last. Exit codes: 90 wrong use, 98 a package
# can't be had, 99 it does not work here.
set -euo pipefail

fail() {
    printf '%s\n' "$2" >&2
    exit "$1"
}

[[ $# == 1 && $1 == /* ]] || fail 90 "Usage: install.sh FOLDER, an absolute path."
folder=$1
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
jar=/usr/share/java/ij.jar
packages=(libij-java openjdk-17-jre openjdk-17-jdk-headless xvfb xauth)

missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    [[ $(id --user) == 0 ]] || fail 98 "These packages are not installed, and only root can install them: ${missing[*]}."
    export DEBIAN_FRONTEND=noninteractive
    apt_get=(timeout 600 apt-get --quiet --yes -o DPkg::Lock::Timeout=120)
    install=("${apt_get[@]}" install --no-install-recommends "${missing[@]}")
    "${install[@]}" || { "${apt_get[@]}" update && "${install[@]}"; } || fail 98 "apt could not install ${missing[*]}."
fi

mkdir -p -- "$folder"
# One at a time; what is there and was made in this way is left as it is.
exec 9>"$folder.lock"
flock --wait 900 9 || fail 98 "Another installation of ImageJ does not end."
recipe=$(sha256sum -- "$here/RunMacro.java" "${BASH_SOURCE[0]}" "$jar" | cut -d ' ' -f 1 | sha256sum)
if [[ -f $folder/VERSION && -f $folder/.recipe && $(<"$folder/.recipe") == "$recipe" ]]; then
    printf 'ImageJ %s is there already\n' "$(<"$folder/VERSION")"
    exit 0
fi
rm -f -- "$folder/VERSION"
ln -sfn -- "$jar" "$folder/ij.jar"
javac -proc:none --release 17 -cp "$jar" -d "$folder" "$here/RunMacro.java" ||
    fail 99 "The launcher of ImageJ can't be compiled; javac's own message is above."

# What it says of itself, asked in the way in which it is used.
printf 'print("ImageJ " + getVersion());\n' >"$folder/version.ijm"
said=$(cd -- "$folder" && timeout --kill-after 10 120 xvfb-run --auto-servernum \
    java -Xmx256m -cp "$folder:$jar" RunMacro version.ijm 2>&1 9>&-) || fail 99 "ImageJ does not start on this node: $said"
version=$(sed -n 's/^ImageJ \([0-9][^ ]*\).*/\1/p' <<<"$said" | head -n 1)
[[ -n $version ]] || fail 99 "ImageJ does not say which version it is: $said"
printf '%s\n' "$recipe" >"$folder/.recipe"
chmod -R a+rX -- "$folder"
printf '%s\n' "$version" >"$folder/VERSION.new"
mv -- "$folder/VERSION.new" "$folder/VERSION"
printf 'ImageJ %s is installed in %s\n' "$version" "$folder"
