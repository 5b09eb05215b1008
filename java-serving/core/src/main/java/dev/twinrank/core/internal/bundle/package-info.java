/** Reading a bundle in phases: layout, manifest, digests, graph, session, goldens. */
package dev.twinrank.core.internal.bundle;
