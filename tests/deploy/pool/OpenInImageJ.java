import ij.ImagePlus;
import ij.io.Opener;
import ij.process.ByteProcessor;
import java.awt.image.ColorModel;

/** Opens a TIFF of bytes as ImageJ does, and prints its size, the sum of its pixels and the colours of 1 and 2. */
public class OpenInImageJ {
    public static void main(String[] arguments) {
        ImagePlus image = new Opener().openImage(arguments[0]);
        long sum = 0;
        for (int page = 1; page <= image.getStackSize(); page++) {
            for (byte value : (byte[]) ((ByteProcessor) image.getStack().getProcessor(page)).getPixels()) {
                sum += value & 255;
            }
        }
        ColorModel colours = image.getProcessor().getColorModel();
        System.out.printf("%dx%dx%d %d %06x %06x%n", image.getWidth(), image.getHeight(), image.getStackSize(), sum,
            colours.getRGB(1) & 0xffffff, colours.getRGB(2) & 0xffffff);
    }
}
