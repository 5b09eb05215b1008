/**
 * Lets Python attach to a running JVM over Py4J, so that somebody's own service can be verified in
 * place.
 *
 * <p><strong>A Py4J gateway is arbitrary code.</strong> Whoever holds its token can call any method
 * of any class in that JVM, with that process's rights: it is not limited to scoring. See {@link
 * dev.twinrank.gateway.Gateway}.
 */
package dev.twinrank.gateway;
