/**
 * Opens a bundle, proves it against its own goldens, and scores slates with it.
 *
 * <p>{@link dev.twinrank.core.Model} is the door: {@code Model.open(path)} gives a thread-safe
 * model, {@code model.parse(json)} or {@code model.request()} a checked request, {@code
 * model.rank(request)} the answer. A {@link dev.twinrank.core.BundleException} means: stop serving
 * this model. A {@link dev.twinrank.core.ScoringException} means: this request is bad, go on.
 */
package dev.twinrank.core;
