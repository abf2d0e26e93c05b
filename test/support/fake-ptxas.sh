#!/bin/sh
# A stand-in for ptxas in tests: knows sm_80 and sm_90a, gives an "image" that
# says what it was made of, and reports resources as ptxas -v does.
case "$1" in
--version) echo "Cuda compilation tools, release 13.0, V13.0.0" ;;
--help) echo "Allowed values: 'sm_80','sm_90a'." ;;
-v)
  architecture=${2#-arch=} in=$3 out=$5
  entry=$(sed -n 's/^\.visible \.entry \([a-z_0-9]*\).*/\1/p' "$in")
  from=$(sed -n 's/^\.target \(sm_[0-9a]*\).*/\1/p' "$in")
  [ "$from" = sm_80 ] || [ "$from" = "$architecture" ] || exit 1
  case "$entry" in
  *embed*) echo "ptxas warning : fake warning for $architecture" ;;
  esac
  echo "ptxas info    : Compiling entry function '$entry' for '$architecture'"
  echo "ptxas info    : Function properties for $entry"
  echo "    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads"
  echo "ptxas info    : Used 40 registers, used 1 barriers, 64 bytes smem"
  printf 'cubin %s of %s %s' "$architecture" "$from" "$entry" >"$out"
  ;;
*) exit 2 ;;
esac
