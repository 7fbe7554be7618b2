# Prints a model with its weights as inputs, behind its own:
#
#   awk -v name=NAME [-v batch=N] [-v weights=REGEX] -f weights_as_inputs.awk model.ir
#
#   name      of the model that is printed
#   batch     the first dimension of its input, in place of 1
#   weights   what the names of these weights match; default: all of them
/ = weight "/ {
  split($0, quoted, "\"")
  if (quoted[2] ~ weights) {
    value = $1
    sub(/.* : /, "")
    inputs = inputs ", " value ": " $0
    next
  }
}
{ lines[++count] = $0 }
END {
  for (i = 1; i <= count; ++i) {
    if (lines[i] ~ /^model @/) {
      sub(/^model @[^(]*/, "model @" name, lines[i])
      if (batch)
        sub(/f32\[1,/, "f32[" batch ",", lines[i])
      sub(/\) {$/, inputs ") {", lines[i])
    }
    print lines[i]
  }
}
