import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { Services } from './api.js';

export interface ServicesOptions {
  readonly logger: Logger;
  /** Module that runs the jobs inside the worker process (see src/jobs/executor.ts). Default: on the GPU. */
  readonly executor?: URL;
}

/** Opens the data folder of `config`, brings its schema up to date and takes up the queue. */
export declare function createServices(config: Config, options: ServicesOptions): Promise<Services>;
