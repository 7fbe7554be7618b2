// How the lessons and maps tell numbers, and the words that they use.

/// A number for people in at most five characters or so: "0.27", "-1.3", "12".
function formatNumber(number) {
  if (!Number.isFinite(number))
    return number > 0 ? "∞" : number < 0 ? "−∞" : "NaN";
  const size = Math.abs(number);
  if (size === 0)
    return "0";
  const text = size >= 99999 || size < 0.00095 ? size.toExponential(0).replace("+", "")
    : size >= 99.95 ? String(Math.round(size))
      : size < 0.0095 ? size.toFixed(3).slice(1)
        : size.toFixed(size < 0.9995 ? 2 : 1).replace(/\.0$/, "");
  return (number < 0 ? "−" : "") + text;
}

/// A number with its digits: "0.273164".
const formatExactly = number => Number.isFinite(number)
  ? String(Number(number.toPrecision(6))).replace("-", "−") : formatNumber(number);

/// So many from the first on: "−2 to 2".
const tellRange = (first, count) => count === 1 ? formatExactly(first)
  : `${formatExactly(first)} to ${formatExactly(first + count - 1)}`;

/// A part of a plane is shown: "the first 10 x 10 of 56 x 56"; nothing for all of it.
function tellPart([rows, columns], [, allRows, allColumns]) {
  return rows === allRows && columns === allColumns ? `${rows} × ${columns}`
    : `the top left ${rows} × ${columns} of ${allRows} × ${allColumns}`;
}

/// Where numbers come from.
const tellSource = made => made
  ? "No input was given, hence the numbers are those of a drawing that the compiler made."
  : "The numbers are those of the input that was given.";

/// Words with their meanings, folded: [word, meaning].
const makeGlossary = words => element("details", {class: "words"},
  element("summary", null, "Words"),
  element("dl", null, words.flatMap(([word, meaning]) =>
    [element("dt", null, word), element("dd", null, meaning)])));
