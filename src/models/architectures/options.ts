/** What every built-in architecture can be asked for. */
export interface ArchitectureOptions {
  /** Side of the square input in pixels, or [height, width]; by default the side that the paper trains with. */
  readonly inputSize?: number | readonly [height: number, width: number];
  /** Outputs; default ImageNet's 1000. */
  readonly classes?: number;
  /** Channels of the input; default 3. 1 is a grey picture. */
  readonly inChannels?: number;
  /**
   * Networks with classifiers in their middle that take part in training only: false leaves them out. By default they are there
   * where the input is large enough for them.
   */
  readonly auxiliaryHeads?: boolean;
}

/** Height and width of the input; `usual` where none is given. */
export function sides({ inputSize }: ArchitectureOptions, usual = 224): [height: number, width: number] {
  if (inputSize === undefined) return [usual, usual];
  return typeof inputSize === 'number' ? [inputSize, inputSize] : [inputSize[0], inputSize[1]];
}
