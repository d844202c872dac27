import helmet from 'helmet';

/** Apollo's page at GET /graphql loads its editor from there, and runs a script that stands in the page. */
const APOLLO = ['https://*.apollographql.com', 'https://*.cdn.apollographql.com'];

/**
 * Headers that keep browsers from doing with answers what nobody meant: no guessing of types, no frames, no plugins, no referrers
 * to elsewhere, scripts from here and for Apollo's page only. No page of another origin may read anything: there is no CORS.
 */
export const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'self'"],
      'base-uri': ["'none'"],
      'connect-src': ["'self'", 'ws:', 'wss:', ...APOLLO],
      'font-src': ["'self'", 'data:', 'https://fonts.gstatic.com', ...APOLLO],
      'form-action': ["'self'"],
      'frame-ancestors': ["'none'"],
      'frame-src': ["'self'", ...APOLLO],
      'img-src': ["'self'", 'data:', 'blob:', ...APOLLO],
      'manifest-src': ["'self'", ...APOLLO],
      'object-src': ["'none'"],
      'script-src': ["'self'", "'unsafe-inline'", ...APOLLO],
      'style-src': ["'self'", "'unsafe-inline'", 'https://fonts.googleapis.com', ...APOLLO],
    },
  },
  crossOriginEmbedderPolicy: false,
  // Only a proxy in front knows whether it speaks TLS.
  strictTransportSecurity: false,
});
