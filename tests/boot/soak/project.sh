# Builds zlib and Lua from source, runs zlib's tests and a Lua program, and prints what came out.
set -eu
export SOURCE_DATE_EPOCH=1
cd /root/zlib
./configure >/dev/null
make -j2 >/dev/null
make test 2>&1 | grep 'zlib.*test OK'
cd /root/lua5.4
make -j2 -C src linux >/dev/null
cat >/tmp/program.lua <<'P'
local words, count = {}, 0
for i = 1, 200000 do
    local key = ("k%d"):format(i * 7919 % 1000)
    words[key] = (words[key] or 0) + i
end
for _, value in pairs(words) do count = count + value end
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
local co = coroutine.wrap(function() for i = 1, 1e5 do coroutine.yield(i % 97) end end)
local sum = 0
for _ = 1, 1e5 do sum = sum + co() end
print(count, fib(25), sum, string.format("%.14g %a", math.sin(1e3), 2 ^ 0.5), #("x"):rep(1e6):gsub("x", "yz"))
P
src/lua /tmp/program.lua
cd /root
sha256sum zlib/*.o zlib/libz.a zlib/libz.so.* zlib/minigzip lua5.4/src/*.o lua5.4/src/lua lua5.4/src/luac |
    grep -v 'libz.so.1$'
