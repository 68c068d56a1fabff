# Sourced by up.sh and down.sh.

# mounted PATH: read from the kernel's table; mountpoint(1) says no for a file system that has been shut down.
mounted() {
  P="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" awk \
    '{ gsub(/\\040/, " ", $5) } $5 == ENVIRON["P"] { found = 1 } END { exit !found }' /proc/self/mountinfo
}
