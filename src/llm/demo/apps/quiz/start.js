"use strict";

// Where this browser keeps the questions and the best score.
const KEY = {{key}};

// The first screen says this.
const INTRO = {{intro}};

// The questions to begin with. The page mixes the answers.
const QUESTIONS = [
{{questions}}
];

