import { matchArchitecture } from '../architectures/match.js';
import { findClassifier } from '../classifier.js';
import type { Model } from '../graph.js';

/** Built-in architectures that torchvision has not. */
const OTHERS = /^(mobilenet_v1|shufflenet_v1)/;

/** The networks whose constructors build auxiliary heads and fresh weights unless told otherwise. */
const WITH_HEADS = ['googlenet', 'inception_v3'];

/**
 * The call that builds torchvision's network with these weights' names and shapes, `resnet18(num_classes=5)`; null where there is
 * none.
 */
export function torchvisionCall({ network, weights }: Model): string | null {
  const match = matchArchitecture(weights);
  const input = match?.layers[0];
  if (!match || OTHERS.test(match.architecture) || input?.kind !== 'input' || input.shape[0] !== 3) return null;
  const classifier = findClassifier(network);
  const classes = classifier && weights.get(classifier.weight)?.shape[0];
  if (!classes) return null;
  const heads = WITH_HEADS.includes(match.architecture)
    ? `, aux_logits=${match.auxiliary.length > 0 ? 'True' : 'False'}, init_weights=False`
    : '';
  return `${match.architecture}(num_classes=${classes}${heads})`;
}
