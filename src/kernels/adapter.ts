/** What is known of the adapter that an engine runs on. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isSoftware: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** Reads an adapter's name, features and limits. */
export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { info } = adapter;
  const limits: Record<string, number> = {};
  // biome-ignore lint/suspicious/useGuardForIn: the limits are inherited getters
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') limits[name] = value;
  }
  const software = /llvmpipe|lavapipe|swiftshader|software|basic render/i;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    isSoftware: info.isFallbackAdapter || software.test(`${info.architecture} ${info.device} ${info.description}`),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    features: [...adapter.features].sort(),
    limits,
  };
}
