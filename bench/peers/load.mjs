// Copied beside the peers' packages, so that Node looks for them there.
export const load = (name) => import(name);
