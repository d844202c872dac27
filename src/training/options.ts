import { augmentationProblems } from './augmentation/policy.js';
import { TrainingError } from './errors.js';
import type { TrainingOptions } from './types.js';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** What each numeric option allows, ends included. */
export const TRAINING_OPTION_RANGES = {
  epochs: { min: 1, max: 10_000, integer: true },
  batchSize: { min: 1, max: 1024, integer: true },
  learningRate: { min: 1e-9, max: 100 },
  momentum: { min: 0, max: 0.9999 },
  weightDecay: { min: 0, max: 10 },
  labelSmoothing: { min: 0, max: 0.99 },
  seed: { min: 0, max: 2 ** 32 - 1, integer: true },
  gradientClipNorm: { min: 1e-6, max: 1e9 },
  memoryLimitMiB: { min: 1, max: 2 ** 24, integer: true },
  maxSeconds: { min: 0.1, max: 30 * 24 * 3600 },
} as const satisfies Partial<Record<keyof TrainingOptions, Range>>;

/** What each weight of a class may be, ends included. */
export const CLASS_WEIGHT_RANGE = { min: 1e-6, max: 1e6 } as const;

/** Options whose null stands for «no limit». */
const NULLABLE: ReadonlySet<string> = new Set(['gradientClipNorm', 'memoryLimitMiB', 'maxSeconds']);

/** Throws `INVALID_OPTIONS` with every option that is out of range. */
export function checkTrainingOptions(options: TrainingOptions): void {
  const problems: string[] = [];
  for (const [name, range] of Object.entries<Range>(TRAINING_OPTION_RANGES)) {
    const value = options[name as keyof typeof TRAINING_OPTION_RANGES];
    if (value === null && NULLABLE.has(name)) continue;
    const fits = typeof value === 'number' && value >= range.min && value <= range.max;
    if (!fits || (range.integer && !Number.isInteger(value))) {
      const kind = range.integer ? 'an integer' : 'a number';
      problems.push(`${name} is ${String(value)}; allowed is ${kind} from ${range.min} to ${range.max}`);
    }
  }
  if (!['sgd', 'adam', 'adamw'].includes(options.optimizer)) {
    problems.push(`optimizer is ${String(options.optimizer)}; allowed are sgd, adam, adamw`);
  }
  if (!['float32', 'mixed'].includes(options.precision)) {
    problems.push(`precision is ${String(options.precision)}; allowed are float32, mixed`);
  }
  const { classWeights, balanceClasses } = options;
  const wrong = classWeights?.find((weight) => !(weight >= CLASS_WEIGHT_RANGE.min && weight <= CLASS_WEIGHT_RANGE.max));
  if (wrong !== undefined) {
    const { min, max } = CLASS_WEIGHT_RANGE;
    problems.push(`classWeights has ${String(wrong)}; allowed are numbers from ${min} to ${max}`);
  }
  if (classWeights !== null && balanceClasses) problems.push('classWeights and balanceClasses exclude each other');
  if (options.augmentation !== null) problems.push(...augmentationProblems(options.augmentation));
  if (options.nesterov && !(options.optimizer === 'sgd' && options.momentum > 0)) {
    problems.push('nesterov needs the optimizer sgd and a momentum above 0');
  }
  if (problems.length > 0) throw new TrainingError('INVALID_OPTIONS', `Training options: ${problems.join('; ')}.`);
}
