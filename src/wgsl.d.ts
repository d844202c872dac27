/** `x.wgsl` lies beside the op that uses it; the build writes it to `x.wgsl.js` as a module with one string. */
declare module '*.wgsl.js' {
  const source: string;
  export default source;
}
