#!/bin/sh
# Installs Chromium and what drives it, by package-lock.json and apart from this project, and prints the folder that has
# them: node_modules, and `chromium`, which starts the browser.
#
# The browser is the one that an npm package carries: it needs no root and none of the system's libraries and fonts. It
# is for x86-64; for another machine CHROMIUM names the browser (see the test).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$("$here/../clients/locked_npm.sh" browser "$here")
browser=$folder/browser

inflate() { node -e 'process.stdin.pipe(require("zlib").createBrotliDecompress()).pipe(process.stdout)' <"$packed/$1.br"; }

if [ ! -e "$folder/chromium" ]; then
    packed=$folder/node_modules/@sparticuz/chromium/bin
    mkdir -p "$browser"
    inflate chromium >"$browser/chromium"
    chmod +x "$browser/chromium"
    for part in al2023 fonts; do inflate "$part.tar" >"$browser/$part.tar" && tar xf "$browser/$part.tar" -C "$browser"; done
    cat >"$browser/fonts.conf" <<END
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$browser/fonts</dir><cachedir>$browser/cache</cachedir></fontconfig>
END
    cat >"$folder/chromium.new" <<END
#!/bin/sh
LD_LIBRARY_PATH='$browser/lib' FONTCONFIG_PATH='$browser' exec '$browser/chromium' "\$@"
END
    chmod +x "$folder/chromium.new"
    mv "$folder/chromium.new" "$folder/chromium" # last: what was interrupted lacks it
fi
echo "$folder"
