"use strict";

// Where this browser keeps the board.
const KEY = {{key}};

// The columns to begin with.
const COLUMNS = [
{{columns}}
];

// The cards to begin with, in the first column.
const START = [
{{items}}
];

