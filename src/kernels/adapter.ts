/** WebGPU tells nothing but the vendor and family: see `kindOf`. */
export type AdapterKind = 'software' | 'integrated' | 'discrete';

/** What is known of the adapter that an engine runs on. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isSoftware: boolean;
  readonly kind: AdapterKind;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** Vendors of GPUs that share a chip with the processor. */
const INTEGRATED = /^(intel|arm|qualcomm|img-tec|samsung|broadcom|vivante|microsoft)$/;
/** Intel's cards: Alchemist and Battlemage. */
const INTEL_CARDS = /hpg/;

/**
 * Whether a GPU has tens or hundreds of cores, as far as its name tells. AMD's and Apple's count as discrete: AMD's integrated ones
 * have the names of their cards, and Apple's are as large as cards.
 */
function kindOf(isSoftware: boolean, { vendor, architecture }: GPUAdapterInfo): AdapterKind {
  if (isSoftware) return 'software';
  if (vendor === 'intel' && INTEL_CARDS.test(architecture)) return 'discrete';
  return INTEGRATED.test(vendor) ? 'integrated' : 'discrete';
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
  const isSoftware = info.isFallbackAdapter || software.test(`${info.architecture} ${info.device} ${info.description}`);
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    isSoftware,
    kind: kindOf(isSoftware, info),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    features: [...adapter.features].sort(),
    limits,
  };
}
