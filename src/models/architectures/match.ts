import { findClassifier } from '../classifier.js';
import { ModelError } from '../errors.js';
import type { Network, Weights } from '../network.js';
import { weightSpecs } from '../shapes.js';
import type { ArchitectureOptions } from './options.js';
import { ARCHITECTURES, buildArchitecture } from './registry.js';

/** Whether a name is that of a counter that PyTorch keeps beside a batch norm's statistics; nothing reads it here. */
export const isCounter = (name: string): boolean => /(^|\.)num_batches_tracked$/.test(name);

/** One form of a built-in architecture: the weights that it has, and which of them tell its sizes. */
interface Form {
  readonly architecture: string;
  readonly auxiliaryHeads: boolean;
  readonly shapes: ReadonlyMap<string, string>;
  /** All names, sorted: forms of equal names differ in shapes. */
  readonly names: string;
  /** The weights whose first size is the number of classes, and whose second that of input channels. */
  readonly classifier: string;
  readonly first: string;
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

function firstConvolution({ layers }: Network): string {
  const input = layers[0]?.name;
  const first = layers.find(({ kind, inputs }) => kind === 'conv2d' && inputs[0] === input);
  return first?.kind === 'conv2d' ? first.weight : '';
}

function makeForms(architecture: string): Form[] {
  const { build, hasAuxiliaryHeads } = ARCHITECTURES[architecture] as (typeof ARCHITECTURES)[string];
  return (hasAuxiliaryHeads ? [true, false] : [false]).map((auxiliaryHeads) => {
    const network = build({ auxiliaryHeads });
    const shapes = new Map(weightSpecs(network).map(({ name, shape }) => [name, shapeText(shape)]));
    return {
      architecture,
      auxiliaryHeads,
      shapes,
      names: [...shapes.keys()].sort().join('\n'),
      classifier: findClassifier(network)?.weight ?? '',
      first: firstConvolution(network),
    };
  });
}

/** Kept, because building all networks takes a tenth of a second. */
const known = new Map<string, readonly Form[]>();

function formsOf(architecture: string): readonly Form[] {
  const forms = known.get(architecture) ?? makeForms(architecture);
  known.set(architecture, forms);
  return forms;
}

const allForms = (): Form[] => Object.keys(ARCHITECTURES).flatMap(formsOf);

/** What a form's network is built with so that it fits these weights; null where they lack what says it. */
function optionsFor({ auxiliaryHeads, classifier, first }: Form, weights: Weights): ArchitectureOptions | null {
  const classes = weights.get(classifier)?.shape[0];
  const inChannels = weights.get(first)?.shape[1];
  const isCount = (value: number | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
  return isCount(classes) && isCount(inChannels) ? { classes, inChannels, auxiliaryHeads } : null;
}

/** How weights differ from those that a network needs. */
interface Differences {
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
  /** `name [2, 3] instead of [4, 3]`. */
  readonly otherShape: readonly string[];
}

function compare(shapes: ReadonlyMap<string, string>, weights: Weights): Differences {
  const missing: string[] = [];
  const otherShape: string[] = [];
  for (const [name, shape] of shapes) {
    const weight = weights.get(name);
    if (!weight) missing.push(name);
    else if (shapeText(weight.shape) !== shape) {
      otherShape.push(`${name} ${shapeText(weight.shape)} instead of ${shape}`);
    }
  }
  const unknown = [...weights.keys()].filter((name) => !shapes.has(name) && !isCounter(name));
  return { missing, unknown, otherShape };
}

/** The shapes that a form has with the sizes of these weights. */
function fittedShapes(form: Form, weights: Weights): ReadonlyMap<string, string> {
  const options = optionsFor(form, weights);
  if (!options) return form.shapes;
  try {
    const specs = weightSpecs(buildArchitecture(form.architecture, options));
    return new Map(specs.map(({ name, shape }) => [name, shapeText(shape)]));
  } catch (error) {
    // More classes or channels than any network may have: it does not fit.
    if (error instanceof ModelError) return form.shapes;
    throw error;
  }
}

const isEmpty = ({ missing, otherShape }: Differences): boolean => missing.length === 0 && otherShape.length === 0;

export interface MatchOptions {
  /** Side of the input in pixels; by default the architecture's usual one. */
  readonly inputSize?: number;
}

function build(form: Form, weights: Weights, { inputSize }: MatchOptions): Network {
  const { auxiliaryHeads, ...sizes } = optionsFor(form, weights) as ArchitectureOptions;
  const side = inputSize ?? ARCHITECTURES[form.architecture]?.usualSide;
  // Heads that the weights have are there where the input is large enough for them.
  return buildArchitecture(form.architecture, {
    ...sizes,
    inputSize: side,
    ...(auxiliaryHeads ? {} : { auxiliaryHeads: false }),
  });
}

/**
 * The built-in architecture whose weights these are: every name and shape agrees (the numbers of classes and of input channels
 * are read off the weights). Null where none fits. This is how files that hold weights only, as torchvision's, are recognised.
 */
export function matchArchitecture(weights: Weights, options: MatchOptions = {}): Network | null {
  const names = [...weights.keys()].filter((name) => !isCounter(name));
  const wanted = names.sort().join('\n');
  for (const architecture of Object.keys(ARCHITECTURES)) {
    for (const form of formsOf(architecture)) {
      if (form.names !== wanted || !optionsFor(form, weights)) continue;
      if (isEmpty(compare(fittedShapes(form, weights), weights))) return build(form, weights, options);
    }
  }
  return null;
}

/**
 * A built-in architecture by name, in the sizes of these weights, which must have all of its names and shapes; what else they
 * have is not asked for. Throws INVALID_ARGUMENT for unknown names, INVALID_WEIGHTS with the differences.
 */
export function architectureOfWeights(architecture: string, weights: Weights, options: MatchOptions = {}): Network {
  if (!Object.hasOwn(ARCHITECTURES, architecture)) buildArchitecture(architecture);
  const forms = formsOf(architecture);
  const fitting = forms.find(
    (form) => optionsFor(form, weights) && isEmpty(compare(fittedShapes(form, weights), weights)),
  );
  if (fitting) return build(fitting, weights, options);
  const { missing, otherShape } = compare(fittedShapes(forms.at(-1) as Form, weights), weights);
  throw new ModelError(
    'INVALID_WEIGHTS',
    `These are not the weights of ${architecture}: ${listDifferences({ missing, otherShape, unknown: [] })}.`,
  );
}

const LISTED = 5;

function listed(what: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const shown = items.slice(0, LISTED).map((item) => item.slice(0, 160));
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : '';
  return [`${what} ${shown.join(', ')}${more}`];
}

const listDifferences = ({ missing, otherShape, unknown }: Differences): string =>
  [
    ...listed('missing are', missing),
    ...listed('other shapes have', otherShape),
    ...listed('unknown are', unknown),
  ].join('; ');

/** Fewer common names than this are no resemblance. */
const LEAST_SHARE = 0.2;

/** How much a form and weights have in common: from 0 to 1, which is every name and shape. */
function likeness(form: Form, weights: Weights, total: number): number {
  let agreeing = 0;
  let common = 0;
  for (const [name, shape] of form.shapes) {
    const weight = weights.get(name);
    if (weight) common++;
    if (weight && shapeText(weight.shape) === shape) agreeing++;
  }
  return (agreeing + common) / (form.shapes.size + total);
}

/**
 * The built-in architecture that is nearest to these weights, under whichever of the names that they may have, with what differs;
 * null where none is near.
 */
export function nearestArchitecture(candidates: readonly Weights[]): string | null {
  let best: { form: Form; weights: Weights; share: number } | null = null;
  for (const weights of candidates) {
    const total = [...weights.keys()].filter((name) => !isCounter(name)).length;
    for (const form of allForms()) {
      const share = likeness(form, weights, total);
      if (share > (best?.share ?? LEAST_SHARE)) best = { form, weights, share };
    }
  }
  if (!best) return null;
  const { form, weights } = best;
  return `the nearest is ${form.architecture}: ${listDifferences(compare(fittedShapes(form, weights), weights))}`;
}
