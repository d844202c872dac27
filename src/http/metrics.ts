import type { ApolloServerPlugin } from '@apollo/server';
import type { RequestHandler } from 'express';
import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Context } from '../resolvers/context.js';
import type { RunObserver, Services } from '../services/api.js';

const GRAPHQL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RUN_BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

/** The first field of an operation: of a valid document, so that the schema bounds how many names there are. */
function firstField(document: DocumentNode, operation: OperationDefinitionNode | undefined): string {
  const [first] = operation?.selectionSet.selections ?? [];
  if (first?.kind === Kind.FIELD) return first.name.value;
  // A fragment at the top: its first field.
  const fragment = document.definitions.find(
    (definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION &&
      first?.kind === Kind.FRAGMENT_SPREAD &&
      definition.name.value === first.name.value,
  );
  const [inner] = fragment?.kind === Kind.FRAGMENT_DEFINITION ? fragment.selectionSet.selections : [];
  return inner?.kind === Kind.FIELD ? inner.name.value : 'other';
}

/** What Prometheus reads at GET /metrics. One for each server, with a registry of its own. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly options = { registers: [this.registry] };
  private readonly graphqlSeconds = new Histogram({
    ...this.options,
    name: 'graft_graphql_seconds',
    help: 'Time of a GraphQL operation over HTTP, by type and first field.',
    labelNames: ['type', 'field', 'ok'] as const,
    buckets: GRAPHQL_BUCKETS,
  });
  private readonly graphqlErrors = new Counter({
    ...this.options,
    name: 'graft_graphql_errors_total',
    help: 'Errors that GraphQL operations over HTTP answered with, by code.',
    labelNames: ['code'] as const,
  });
  private readonly runs = new Counter({
    ...this.options,
    name: 'graft_runs_total',
    help: 'Runs that came to a state.',
    labelNames: ['state'] as const,
  });
  private readonly runSeconds = new Histogram({
    ...this.options,
    name: 'graft_run_seconds',
    help: 'Time from the beginning of a run to its end.',
    buckets: RUN_BUCKETS,
  });
  private readonly waitSeconds = new Histogram({
    ...this.options,
    name: 'graft_run_wait_seconds',
    help: 'Time that a run waited in the queue.',
    buckets: RUN_BUCKETS,
  });
  private readonly pictures = new Gauge({
    ...this.options,
    name: 'graft_pictures_per_second',
    help: 'Speed that the newest step of a run, or its feature extraction, told.',
    labelNames: ['phase'] as const,
  });
  private readonly deviceBytes = new Gauge({
    ...this.options,
    name: 'graft_device_bytes',
    help: 'GPU memory that the newest run laid out.',
  });

  /** Told by the services what becomes of runs. */
  readonly observer: RunObserver = {
    stateChanged: (state, { secondsWaited, secondsRun }) => {
      this.runs.inc({ state });
      if (secondsWaited !== undefined) this.waitSeconds.observe(secondsWaited);
      if (secondsRun !== undefined) this.runSeconds.observe(secondsRun);
    },
    progress: (event) => {
      if (event.type === 'pictures') this.pictures.set({ phase: 'features' }, event.picturesPerSecond);
      if (event.type === 'step') this.pictures.set({ phase: 'training' }, event.picturesPerSecond);
      if (event.type === 'compiled') this.deviceBytes.set(event.deviceBytes);
    },
  };

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Adds what is read when somebody asks: the queue and the worker. */
  watch(services: Services): void {
    const depth = new Gauge({
      ...this.options,
      name: 'graft_queue_depth',
      help: 'Runs in the queue by state.',
      labelNames: ['state'] as const,
      collect: async () => {
        const { queued, running } = await services.load();
        depth.set({ state: 'queued' }, queued);
        depth.set({ state: 'running' }, running);
      },
    });
    const restarts: Gauge = new Gauge({
      ...this.options,
      name: 'graft_worker_restarts',
      help: 'How often the worker process had to be started again.',
      collect: async () => {
        restarts.set((await services.load()).workerRestarts);
      },
    });
  }

  readonly plugin: ApolloServerPlugin<Context> = {
    requestDidStart: async () => {
      const started = performance.now();
      return {
        willSendResponse: async ({ document, operation, errors = [] }) => {
          const labels = {
            type: operation?.operation ?? 'none',
            field: document && operation ? firstField(document, operation) : 'none',
            ok: errors.length === 0 ? 'true' : 'false',
          };
          this.graphqlSeconds.observe(labels, (performance.now() - started) / 1000);
          for (const { extensions } of errors) {
            this.graphqlErrors.inc({ code: typeof extensions.code === 'string' ? extensions.code : 'UNKNOWN' });
          }
        },
      };
    },
  };

  /** All of it, in Prometheus's text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  readonly handler: RequestHandler = async (_request, response) => {
    response.type(this.registry.contentType).send(await this.text());
  };
}
