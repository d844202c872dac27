import type { Preprocessing } from '../network.js';

const list = (values: readonly number[]): string => `[${values.join(', ')}]`;

/** How a picture is brought to the input's size, as a sentence. */
export function resizeText({ fit, width, height, cropFraction, interpolation }: Preprocessing): string {
  const method = interpolation === 'bilinear' ? 'bilinear' : 'bicubic';
  const size = `${width} x ${height} pixels (width x height)`;
  switch (fit) {
    case 'stretch':
      return `Resize the whole picture to ${size}, ignoring its aspect ratio (${method}).`;
    case 'centerCrop':
      return `Cut out the central ${cropFraction} of its width and of its height, and resize that to ${size} (${method}).`;
    case 'resizeThenCrop': {
      const covered = `${Math.round(width / cropFraction)} x ${Math.round(height / cropFraction)}`;
      return `Resize it (${method}), keeping its aspect ratio, until it just covers ${covered} pixels, and cut out the central ${size}.`;
    }
  }
}

/** How bytes become the values that the network reads, as sentences. */
export function valuesText({ channelOrder, scale, mean, std }: Preprocessing): string {
  const order = channelOrder === 'BGR' ? 'blue, green, red' : 'red, green, blue';
  const values = `The channels are ${order}; a value is (byte / ${scale} - mean) / deviation, with the mean ${list(mean)} and the deviation ${list(std)}.`;
  return channelOrder === 'GREY'
    ? `${values} The network reads one channel, 0.299 red + 0.587 green + 0.114 blue of these values.`
    : values;
}
