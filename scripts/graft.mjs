#!/usr/bin/env node
// `npx graft doctor` and friends, from a clone: sets up what is missing, then runs the built command-line client.
process.argv.splice(2, 0, 'graft');
await import('./bootstrap.mjs');
