import ij.IJ;
import ij.macro.Interpreter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Locale;

/**
 * Runs one ImageJ 1.x macro with one argument, and says by its exit code how that ended.
 *
 * <p>ImageJ's own -batch ends with 0 after most errors, or waits for ever in a dialog that nobody sees. Here errors go
 * to the log, and the exit codes are: 0 finished, 2 an error in the macro, or exit() with a reason, 3 an exception, also
 * in a plugin, 4 out of memory, 5 the macro can't be read. It needs a display, as ImageJ builds its menus and dialogs.
 */
public final class RunMacro {
  private static volatile Throwable failed;

  private RunMacro() {}

  public static void main(String[] words) {
    int code;
    try {
      code = run(Files.readString(Paths.get(words[0]), StandardCharsets.UTF_8), words.length > 1 ? words[1] : "");
    } catch (IOException | ArrayIndexOutOfBoundsException e) {
      System.err.println("The macro can't be read: " + e);
      code = 5;
    } catch (Throwable e) {
      code = codeOf(e);
    }
    System.out.flush();
    System.err.flush();
    // Threads of AWT would keep the process alive.
    Runtime.getRuntime().halt(code);
  }

  private static int run(String macro, String argument) {
    IJ.redirectErrorMessages(true);
    IJ.setExceptionHandler(RunMacro::note);
    Thread.setDefaultUncaughtExceptionHandler((thread, error) -> note(error));
    Interpreter interpreter = new Interpreter();
    interpreter.setIgnoreErrors(true);
    Interpreter.batchMode = true;
    String returned = interpreter.run(macro, argument);
    if (interpreter.getErrorMessage() != null) {
      System.err.println("Macro error: " + interpreter.getErrorMessage());
      return 2;
    }
    if (interpreter.wasError() || "[aborted]".equals(returned)) {
      System.err.println("The macro was aborted.");
      return 2;
    }
    String error = IJ.getErrorMessage();
    if (error != null) {
      // What would have been a dialog: the macro ran on without what it had asked for.
      System.err.println("ImageJ error: " + error.replaceAll("\\s+", " "));
      return error.toLowerCase(Locale.ROOT).contains("memory") ? 4 : 2;
    }
    return failed == null ? 0 : codeOf(failed);
  }

  private static void note(Throwable error) {
    failed = error;
    error.printStackTrace();
  }

  private static int codeOf(Throwable error) {
    if (error instanceof OutOfMemoryError) {
      System.err.println("Out of memory: " + error.getMessage());
      return 4;
    }
    if ("Macro canceled".equals(error.getMessage())) {
      System.err.println("The macro was canceled.");
      return 2;
    }
    error.printStackTrace();
    return 3;
  }
}
