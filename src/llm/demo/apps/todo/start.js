"use strict";

// Where this browser keeps the list.
const KEY = {{key}};

// The tasks to begin with.
const START = [
{{items}}
];

